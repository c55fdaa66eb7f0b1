"""What a rollout is and what it does next: requests, policies, phases and decisions, all pure."""
