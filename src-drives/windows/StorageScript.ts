import type { ToolRun } from '../ToolRunner.ts';

/**
 * What Windows is asked, with the cmdlets of its Storage module: disks, partitions, volumes, and
 * the disk drivers' word on removable media. Nothing is put into this text. It has no double
 * quotes, which would not survive the command line. BitLocker's state comes from the shell, which
 * tells it to everybody; locked volumes have no file system that Get-Volume could name.
 */
const script = `
$ErrorActionPreference = 'Stop'
[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false
$drivers = @{}
Get-CimInstance -ClassName Win32_DiskDrive | ForEach-Object { $drivers[[string]$_.Index] = $_ }
$shell = $null
try { $shell = New-Object -ComObject Shell.Application } catch { }
$disks = @(Get-Disk | ForEach-Object {
  $driver = $drivers[[string]$_.Number]
  [pscustomobject]@{
    Number = $_.Number; FriendlyName = $_.FriendlyName; Manufacturer = $_.Manufacturer
    SerialNumber = $_.SerialNumber; UniqueId = $_.UniqueId; UniqueIdFormat = [string]$_.UniqueIdFormat
    BusType = [string]$_.BusType; Size = $_.Size; LogicalSectorSize = $_.LogicalSectorSize
    IsBoot = $_.IsBoot; IsSystem = $_.IsSystem; IsReadOnly = $_.IsReadOnly; IsOffline = $_.IsOffline
    OperationalStatus = [string]$_.OperationalStatus; Location = $_.Location
    MediaType = $driver.MediaType; PNPDeviceID = $driver.PNPDeviceID
  }
})
$partitions = @(Get-Partition -ErrorAction SilentlyContinue | ForEach-Object {
  [pscustomobject]@{
    DiskNumber = $_.DiskNumber; PartitionNumber = $_.PartitionNumber; Size = $_.Size
    GptType = $_.GptType; MbrType = $_.MbrType; IsBoot = $_.IsBoot; IsSystem = $_.IsSystem
    AccessPaths = @($_.AccessPaths | Where-Object { $_ })
  }
})
$volumes = @(Get-Volume -ErrorAction SilentlyContinue | ForEach-Object {
  $protection = $null
  if ($shell -and $_.DriveLetter) {
    try {
      $folder = $shell.NameSpace([string]$_.DriveLetter + ':')
      $protection = $folder.Self.ExtendedProperty('System.Volume.BitLockerProtection')
    } catch { }
  }
  [pscustomobject]@{
    Path = $_.Path; FileSystem = [string]$_.FileSystem; FileSystemLabel = $_.FileSystemLabel
    Size = $_.Size; SizeRemaining = $_.SizeRemaining; BitLocker = $protection
  }
})
$pageFiles = @(Get-CimInstance -ClassName Win32_PageFileUsage | ForEach-Object { $_.Name })
[pscustomobject]@{
  Disks = $disks; Partitions = $partitions; Volumes = $volumes; PageFiles = $pageFiles
  SystemRoot = [Environment]::GetFolderPath('Windows')
} | ConvertTo-Json -Depth 4 -Compress
`;

const folder = 'System32\\WindowsPowerShell\\v1.0\\powershell.exe';

/** Windows PowerShell 5.1, which every Windows since 10 has. */
export const storageRun: ToolRun = {
  tool: [`C:\\Windows\\${folder}`, `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\${folder}`],
  arguments: ['-NoLogo', '-NoProfile', '-NonInteractive', '-Command', script],
  timeout: 30_000,
};
