"""What may need improvement: findings in conversations, grouped, with proposed edits and cases."""
