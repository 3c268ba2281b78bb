/* notify: tells a service manager how far the daemon is ($NOTIFY_SOCKET, as systemd defines it). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* state: "READY=1" or "STOPPING=1". Does nothing when nobody asked. */
void notify_manager(const char *state);

#endif
