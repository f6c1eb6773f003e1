"""The entry point of `agentctl` and `python -m agentctl`."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Imports create many objects and no garbage: collecting them takes about a tenth of the start-up time.
    gc.disable()
    from agentctl.cli.signals import exit_now, handle_signals

    handle_signals(exit_now)
    from agentctl.cli.main import main as run_command_line

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
