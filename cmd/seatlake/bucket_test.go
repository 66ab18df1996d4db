package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdBucket starts a store that speaks S3 and lives until the script ends, and makes
// seatlake.yaml name a bucket of it as the lake, and $MACHINE as where to work on it.
//
//	bucket [-read-only]
//
// Of a store that is read-only every request but those that read is refused.
func cmdBucket(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("bucket cannot be negated")
	}
	server, _, err := newBucket(len(args) > 0 && args[0] == "-read-only", nil)
	ts.Check(err)
	ts.Defer(server.Close)
	url := bucketURL(server)
	ts.Setenv("LAKE", url)
	for name, value := range bucketEnv() {
		ts.Setenv(name, value)
	}
	at := ts.MkAbs("seatlake.yaml")
	text, err := os.ReadFile(at)
	ts.Check(err)
	changed := strings.Replace(string(text), "lake: ./lake\n", "lake: "+url+"\nwork_dir: ${MACHINE}\n", 1)
	if changed == string(text) {
		ts.Fatalf("seatlake.yaml names no lake to be replaced")
	}
	ts.Check(os.WriteFile(at, []byte(changed), 0o600))
	ts.Setenv("MACHINE", ts.MkAbs("first"))
}

// newBucket starts a store that speaks S3 and has the bucket "lake". Each request is
// told before it is served, if asked for.
func newBucket(readOnly bool, told func(r *http.Request)) (*httptest.Server, *s3mem.Backend, error) {
	backend := s3mem.New()
	if err := backend.CreateBucket("lake"); err != nil {
		return nil, nil, err
	}
	store := gofakes3.New(backend).Server()
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if told != nil {
			told(r)
		}
		if readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
			return
		}
		store.ServeHTTP(w, r)
	})), backend, nil
}

func bucketURL(server *httptest.Server) string {
	return "s3://lake/finance?region=us-east-1&use_path_style=true&endpoint=" + server.URL
}

// bucketEnv is the environment in which a store of newBucket is signed in to.
func bucketEnv() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull}
}
