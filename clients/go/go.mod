module plm.local/clients/go

go 1.25
