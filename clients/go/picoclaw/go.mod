module plm.local/clients/go/picoclaw

go 1.25.11

require (
	github.com/sipeed/picoclaw v0.0.0
	plm.local/clients/go v0.0.0
)

replace (
	github.com/sipeed/picoclaw => ../../../build/picoclaw/src
	plm.local/clients/go => ../
)
