"""What a person sees and types: the Textual app and the command line. Shows and asks; decides nothing."""
