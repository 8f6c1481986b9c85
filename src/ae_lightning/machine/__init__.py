"""What training asks of the machine and the operating system: precision, processes, signals, memory."""
