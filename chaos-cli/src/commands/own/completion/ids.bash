
# Completes the ids of rules, too: those of the endpoints that the line names.
_chaosctl_with_ids() {
    _chaosctl "$@"
    local line="${COMP_LINE:0:COMP_POINT}"
    local -a words globals reply
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    local last=$((${#words[@]} - 1)) at=1 entry
    local current="${words[last]}"
    while ((at < last)); do
        case "${words[at]}" in
            @OPTIONS@) globals+=("${words[at]}" "${words[at + 1]}"); ((at += 2)) ;;
            -*) globals+=("${words[at]}"); ((at += 1)) ;;
            *) break ;;
        esac
    done
    ((at < last)) || return 0
    case "${words[at]}" in
        @COMMANDS@) ;;
        *) return 0 ;;
    esac
    [[ "$current" == -* ]] && return 0
    # The names of arguments are no words to complete.
    for entry in "${COMPREPLY[@]}"; do
        [[ "$entry" == [\<\[]* ]] || reply+=("$entry")
    done
    # The name of the program stands before what the line says, so that nothing else is ever run.
    # What the service says is compared, and never expanded.
    while IFS= read -r entry; do
        [[ "$entry" == "$current"* ]] && reply+=("$entry")
    done < <("${words[0]}" __ids "${globals[@]}" 2>/dev/null)
    COMPREPLY=("${reply[@]}")
    if [[ "$current" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        local before="${current%"${current##*:}"}"
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}
