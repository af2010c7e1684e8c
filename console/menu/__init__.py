"""Every command's name, options and help, a module for each group; what a command does is in `console.commands`."""
