"""The completion scripts that each shell runs for the Tab key.

A script passes the line up to the cursor in the environment: an agentctl without completion then sees no arguments and
runs nothing. Without candidates, the shell completes file names.
"""

from __future__ import annotations

from typing import assert_never

from .completion import Shell

_BASH = r"""
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
"""

_ZSH = r"""
#compdef agentctl
# zsh completion of agentctl, printed by `agentctl completions zsh`

_agentctl() {
    local -a answer suffix
    answer=(${(f)"$(
        _AGENTCTL_COMPLETE=zsh \
        _AGENTCTL_COMPLETE_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \
        ${(Q)words[1]} 2>/dev/null </dev/null
    )"})
    if (( ! $#answer )); then
        compset -P '--*='
        _files
        return
    fi
    [[ ${answer[1]%%:*} == *= ]] && suffix=(-S '')
    _describe agentctl answer "${suffix[@]}"
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _agentctl "$@"
elif (( $+functions[compdef] )); then
    compdef _agentctl agentctl
fi
"""

_FISH = r"""
# fish completion of agentctl, printed by `agentctl completions fish`

function __agentctl_complete
    set -l program (commandline -opc)[1]
    command -q $program; or return
    set -lx _AGENTCTL_COMPLETE fish
    set -lx _AGENTCTL_COMPLETE_LINE (commandline -cp | string collect)
    set -l answer ($program 2>/dev/null </dev/null)
    if set -q answer[1]
        string join \n -- $answer
        return
    end
    set -l word (commandline -ct)
    set -l option (string match --regex -- '^--[^=]+=' $word)
    for path in (__fish_complete_path (string replace --regex -- '^--[^=]+=' '' $word))
        echo "$option$path"
    end
end

complete --command agentctl --no-files --arguments '(__agentctl_complete)'
"""

_POWERSHELL = r"""
# PowerShell completion of agentctl, printed by `agentctl completions powershell`

Register-ArgumentCompleter -Native -CommandName agentctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $length = [Math]::Max(0, $cursorPosition - $commandAst.Extent.StartOffset)
    $env:_AGENTCTL_COMPLETE = 'powershell'
    $env:_AGENTCTL_COMPLETE_LINE = $commandAst.ToString().PadRight($length).Substring(0, $length)
    try {
        & $commandAst.GetCommandName() 2>$null | ForEach-Object {
            $value, $help = $_ -split "`t", 2
            if (-not $help) { $help = $value }
            [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_AGENTCTL_COMPLETE, Env:_AGENTCTL_COMPLETE_LINE
    }
}
"""


def script(shell: Shell) -> str:
    """Return the completion script of a shell, without a trailing newline."""
    match shell:
        case Shell.BASH:
            return _BASH.strip()
        case Shell.ZSH:
            return _ZSH.strip()
        case Shell.FISH:
            return _FISH.strip()
        case Shell.POWERSHELL:
            return _POWERSHELL.strip()
        case _:
            assert_never(shell)
