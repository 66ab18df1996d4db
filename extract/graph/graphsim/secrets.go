package graphsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
)

// Secrets is what the servers have given out that nobody but the client may see:
// tokens, device codes, and the pre-authenticated part of download links.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// secretsOf is what is secret in an answer: body is that of the login host, and
// empty for others.
func secretsOf(header http.Header, body []byte) (secrets []string) {
	var answer map[string]any
	if json.Unmarshal(body, &answer) == nil {
		for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code"} {
			if secret, ok := answer[name].(string); ok && secret != "" {
				secrets = append(secrets, secret)
			}
		}
	}
	if link, err := url.Parse(header.Get("Location")); err == nil {
		for _, name := range []string{"token", "code"} {
			if secret := link.Query().Get(name); secret != "" {
				secrets = append(secrets, secret)
			}
		}
	}
	return secrets
}
