"""What every service stands on: settings, logs, records, the consume loop, health, errors."""
