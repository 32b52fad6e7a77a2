/**
 * What PowerShell runs, without rights, to have a program started with them: reads one line of JSON,
 * `{ file, arguments }`, asks for consent, says "started" and waits for the program's end. Where
 * nothing was started it prints "runas ERROR MESSAGE" to its standard error. Nothing is put into this
 * text. The class is used instead of Start-Process, which hides the error's number.
 */
export const runAsScript = `
$ErrorActionPreference = 'Stop'
$order = ConvertFrom-Json ([Console]::In.ReadLine())
$start = New-Object System.Diagnostics.ProcessStartInfo
$start.FileName = $order.file
$start.Arguments = $order.arguments
$start.Verb = 'runas'
$start.UseShellExecute = $true
$start.WindowStyle = 'Hidden'
$start.WorkingDirectory = [Environment]::SystemDirectory
try {
  $program = [System.Diagnostics.Process]::Start($start)
} catch {
  $cause = $_.Exception.GetBaseException()
  [Console]::Error.WriteLine('runas ' + [string]$cause.NativeErrorCode + ' ' + $cause.Message)
  exit 1
}
[Console]::Out.WriteLine('started')
$program.WaitForExit()
`;

/** The line that the script reads: ASCII, whatever code page the console has. */
export function runAsOrder([file = '', ...args]: readonly string[]): string {
  const order = JSON.stringify({ file, arguments: args.map(quotedArgument).join(' ') });
  const escape = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${order.replace(/[^ -~]/g, escape)}\n`;
}

/**
 * One argument for a command line that CommandLineToArgvW reads ("Parsing C command-line
 * arguments"): backslashes count double before a quote, and the closing one is a quote.
 */
export function quotedArgument(argument: string): string {
  return `"${argument.replace(/(\\*)($|")/g, (_, slashes: string, end: string) =>
    end === '"' ? `${slashes}${slashes}\\"` : `${slashes}${slashes}`,
  )}"`;
}
