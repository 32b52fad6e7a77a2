/**
 * What PowerShell runs for {@link PowerShellAgent}: Windows' own calls, which Node lacks, one request
 * a line (`open PATH ACCESS`, `control HANDLE CODE ROOM`, `serial NUMBER`), one answer a line (the
 * system's error number, 0 for none, and a value: a handle, bytes in hex, a text). It decides
 * nothing. At the end of its input, and at an error without a number, it ends, and with it every
 * handle and every lock.
 */
export const diskAgentScript = `
$ErrorActionPreference = 'Stop'
Add-Type -TypeDefinition @'
using System; using System.Collections.Generic; using System.ComponentModel;
using System.Runtime.InteropServices; using Microsoft.Win32.SafeHandles;
public static class BoxwrightDisk {
  [DllImport("kernel32.dll", CharSet = CharSet.Unicode, SetLastError = true)]
  static extern SafeFileHandle CreateFileW(string path, uint access, uint share, IntPtr none, uint how, uint flags, IntPtr like);
  [DllImport("kernel32.dll", SetLastError = true)]
  static extern bool DeviceIoControl(SafeFileHandle on, uint code, byte[] give, int size, byte[] take, int room, out int length, IntPtr none);
  static readonly List<SafeFileHandle> Handles = new List<SafeFileHandle>();
  static string Answer(bool done, string value) {
    int error = done ? 0 : Marshal.GetLastWin32Error();
    return error + " " + (done ? value : new Win32Exception(error).Message);
  }
  public static string Open(string path, string access) {
    Handles.Add(CreateFileW(path, Convert.ToUInt32(access, 16), 3, IntPtr.Zero, 3, 0, IntPtr.Zero));
    return Answer(!Handles[Handles.Count - 1].IsInvalid, (Handles.Count - 1).ToString());
  }
  public static string Control(string handle, string code, string room) {
    byte[] bytes = new byte[int.Parse(room)]; int length;
    SafeFileHandle on = Handles[int.Parse(handle)]; uint number = Convert.ToUInt32(code, 16);
    bool done = DeviceIoControl(on, number, null, 0, bytes, bytes.Length, out length, IntPtr.Zero);
    return Answer(done, done ? BitConverter.ToString(bytes, 0, length).Replace("-", "") : "");
  }
}
'@
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
while ($null -ne ($line = [Console]::In.ReadLine())) {
  $words = $line.Split(' ')
  $answer = switch ($words[0]) {
    'open' { [BoxwrightDisk]::Open($words[1], $words[2]) }
    'control' { [BoxwrightDisk]::Control($words[1], $words[2], $words[3]) }
    'serial' { '0 ' + (Get-Disk -Number $words[1]).SerialNumber }
  }
  [Console]::Out.WriteLine($answer -replace '\\s+', ' ')
}
`;
