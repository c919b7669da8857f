"""Arms a rule and disarms it, with the client that openapi-python-client has made of the document.

Called with the folder that holds the package `port`, and the address of the port.
"""

import sys

sys.path.insert(0, sys.argv[1])

from port import Client
from port.api.default import delete_v1_rules_id, get_v1_rules_id, patch_v1_rules_id, put_v1_rules_id
from port.models import Fault, Rule, RulePatch

client = Client(base_url=sys.argv[2], raise_on_unexpected_status=True)
rule = Rule(site="http.server", faults=[Fault(status=503)])

made = put_v1_rules_id.sync_detailed("generated", client=client, body=rule)
assert made.status_code == 201, made
assert made.parsed.enabled and made.parsed.faults[0].status == 503, made

tag = made.headers["etag"]
off = RulePatch(enabled=False)
off = patch_v1_rules_id.sync_detailed("generated", client=client, body=off, if_match=tag)
assert off.status_code == 200 and off.parsed.enabled is False, off
assert off.parsed.faults[0].to_dict() == {"status": 503}, off

gone = delete_v1_rules_id.sync_detailed("generated", client=client)
assert gone.status_code == 204, gone
left = get_v1_rules_id.sync_detailed("generated", client=client)
assert left.status_code == 404, left
