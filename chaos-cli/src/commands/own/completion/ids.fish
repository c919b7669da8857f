
# Completes the ids of rules: those of the endpoints that the line names.
function __chaosctl_ids
    set -l words (commandline -opc)
    set -l globals
    set -l at 2
    while test $at -le (count $words)
        switch $words[$at]
            case @OPTIONS@
                set -a globals $words[$at] $words[(math $at + 1)]
                set at (math $at + 2)
            case '-*'
                set -a globals $words[$at]
                set at (math $at + 1)
            case '*'
                break
        end
    end
    command $words[1] __ids $globals 2>/dev/null
end
complete -c chaosctl -n "__fish_chaosctl_using_subcommand @COMMANDS@" -f -a "(__chaosctl_ids)"
