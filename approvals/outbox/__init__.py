"""What leaves the console: mail, pushes to browsers and webhooks, through one outbox of rows that say what is due."""
