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
