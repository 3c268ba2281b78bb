/* handlers: what each method does. The one table from method to handler. */
#ifndef DAEMON_HANDLERS_H
#define DAEMON_HANDLERS_H

#include "daemon/command.h"

command_handler *handlers_of(enum method method); /* never NULL */

#endif
