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
