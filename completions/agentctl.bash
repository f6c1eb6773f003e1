# bash completion of agentctl, printed by `agentctl completions bash`

_agentctl() {
    local answer word
    COMPREPLY=()
    answer=$(
        _AGENTCTL_COMPLETE=bash \
        _AGENTCTL_COMPLETE_LINE="${COMP_LINE:0:COMP_POINT}" \
        _AGENTCTL_COMPLETE_BREAKS="$COMP_WORDBREAKS" \
        "$1" 2>/dev/null </dev/null
    ) || return 0
    while IFS= read -r word; do
        [[ -z $word ]] || COMPREPLY+=("$word")
    done <<<"$answer"
    if [[ ${COMPREPLY[0]-} == *= ]]; then
        # bash 3 has no compopt, and there a space follows.
        compopt -o nospace 2>/dev/null || return 0
    fi
}

complete -o bashdefault -o default -F _agentctl agentctl
