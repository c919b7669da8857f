
# Completes the ids of rules: those of the endpoints that the line names.
(( $+functions[_chaosctl_ids] )) ||
_chaosctl_ids() {
    local -a all globals ids
    local at=2
    all=(${(Q)${(z)LBUFFER}})
    while (( at <= $#all )); do
        case "$all[at]" in
            @OPTIONS@) globals+=("$all[at]" "$all[at+1]"); (( at += 2 )) ;;
            -*) globals+=("$all[at]"); (( at += 1 )) ;;
            *) break ;;
        esac
    done
    ids=(${(f)"$(_call_program ids ${(q)all[1]} __ids ${(q)globals} 2>/dev/null)"})
    compadd -a ids
}
