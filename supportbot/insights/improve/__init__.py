"""What may need improvement: grouped findings in conversations, with proposed edits and cases."""
