/* plmd_fake: the daemon as it is, with the fake engine: `make build/tests/unit/daemon/plmd_fake`.
 */
#include "tests/unit/daemon/fake_engine.c"
#include "daemon/main.c"
