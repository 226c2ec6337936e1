"""Other people's generator files: one reader a form, none of which executes anything of what it reads."""
