"""The process: `agentctl` and `python -m agentctl` begin here."""

import gc
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Imports make many objects and no garbage: collecting among them is about a tenth of the start-up time.
    gc.disable()
    from agentctl.cli.signals import leave_at_once, take_signals

    take_signals(leave_at_once)
    from agentctl.cli.main import main as run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
