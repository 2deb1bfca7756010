"""terminado in the simplest of its ways: a terminal for each connection, ended with it.

Usage: python3 terminado_server.py PORT SHELL
"""
import sys

import terminado
import tornado.ioloop
import tornado.web

port, shell = int(sys.argv[1]), sys.argv[2]
manager = terminado.UniqueTermManager(shell_command=[shell])
application = tornado.web.Application(
    [("/websocket", terminado.TermSocket, {"term_manager": manager})],
    websocket_max_message_size=100 * 1024 * 1024,
)
application.listen(port, "127.0.0.1")
tornado.ioloop.IOLoop.current().start()
