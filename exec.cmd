@rem The scripts in package.json begin with "exec", so that on Linux and macOS no shell stays
@rem between npm and the program and swallows Ctrl+C. Windows has no such command but this one.
@%*
