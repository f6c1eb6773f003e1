"""What `agentctl doctor` looks at; each check finds something and repairs nothing."""
