"""What screens know, who may see it, and what each screen is still owed. Pure: no I/O, no clock."""
