package bridge

import (
	"context"
	"net/http"
	"slices"
	"strings"

	plm "plm.local/clients/go"
)

const prefix = "plm/" // PicoClaw keeps the provider's prefix in the id when it does not know it

// ids are the model ids that clients may name, each with and without the prefix.
func (b *exchange) ids(ctx context.Context) ([]string, error) {
	aliases, err := b.client.Models(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, alias := range append(aliases, b.options.Names...) {
		if !slices.Contains(ids, alias) {
			ids = append(ids, alias, prefix+alias)
		}
	}
	return ids, nil
}

type modelEntry struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func (b *exchange) models(w http.ResponseWriter, r *http.Request) {
	ids, err := b.ids(r.Context())
	if err != nil {
		b.fail(w, r, err)
		return
	}
	entries := make([]modelEntry, len(ids))
	for i, id := range ids {
		entries[i] = modelEntry{id, "model", 0, "plm"}
	}
	reply(w, http.StatusOK, map[string]any{"object": "list", "data": entries})
}

func (b *exchange) model(w http.ResponseWriter, r *http.Request) {
	ids, err := b.ids(r.Context())
	if err != nil {
		b.fail(w, r, err)
		return
	}
	id := r.PathValue("id")
	if !slices.Contains(ids, id) {
		b.fail(w, r, unknownModel(id, ids))
		return
	}
	reply(w, http.StatusOK, modelEntry{id, "model", 0, "plm"})
}

// tags is Ollama's list, for its clients' probes.
func (b *exchange) tags(w http.ResponseWriter, r *http.Request) {
	ids, err := b.ids(r.Context())
	if err != nil {
		b.fail(w, r, err)
		return
	}
	entries := make([]map[string]any, len(ids))
	for i, id := range ids {
		entries[i] = map[string]any{"name": id, "model": id, "size": 0, "details": map[string]string{"format": "gguf"}}
	}
	reply(w, http.StatusOK, map[string]any{"models": entries})
}

func unknownModel(name string, ids []string) *refusal {
	return &refusal{http.StatusNotFound, "model_not_found: there is no model " + name + "; there are: " + strings.Join(ids, ", "),
		"invalid_request_error", "model_not_found", "model"}
}

// prepare settles what depends on the daemon: the model that a name means, and what it can do with
// schemas. A daemon with a single model answers to any name.
func (b *exchange) prepare(ctx context.Context, name string, options *plm.Options) error {
	server, err := b.client.Hello(ctx)
	if err != nil {
		return err
	}
	if options.OnUnsupported == "" && server.Can("widen") {
		options.OnUnsupported = "widen"
	}
	aliases, err := b.client.Models(ctx)
	if err != nil {
		return err
	}
	wanted := strings.TrimPrefix(name, prefix)
	isWanted := func(alias string) bool { return strings.EqualFold(alias, wanted) }
	if i := slices.IndexFunc(aliases, isWanted); i >= 0 {
		options.Model = aliases[i]
		return nil
	}
	options.Model = aliases[0]
	if len(aliases) == 1 || wanted == "" || slices.ContainsFunc(b.options.Names, isWanted) {
		return nil
	}
	return unknownModel(name, aliases)
}
