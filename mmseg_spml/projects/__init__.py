"""Projects: from a tool's export to a config, a trained model and its pages."""
