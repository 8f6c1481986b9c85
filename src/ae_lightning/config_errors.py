def one_line(message): return message
