package graphsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// RequestRecord is one request as a server saw it.
type RequestRecord struct {
	Server     string // graph, login or reports
	Method     string
	Path       string
	Query      string
	Status     int    // 0 when the connection was broken instead
	Bytes      int64  // of the body, as sent
	Authorized bool   // the request had an Authorization header
	Encoding   string // its Accept-Encoding
	Scope      string // what it asks the login host for; "" when it does not say
}

// Server is a tenant on three addresses of 127.0.0.1: Graph, the login host, and the
// host that reports are downloaded from.
type Server struct {
	GraphURL, LoginURL, ReportsURL string

	o       Options
	content content
	servers []*http.Server
	done    sync.WaitGroup
	stop    func() bool

	mu        sync.Mutex
	log       []RequestRecord
	requests  int
	left      []int                // by fault: how often it is still due
	tokens    map[string]access    // access tokens
	issued    int                  // access tokens
	attempts  map[string]uint64    // requests by address, for request ids
	downloads map[string]download  // reports that may be fetched, by link
	spent     map[string][]expense // what was charged, by limit
	leaks     []string             // requests that carried the token to the wrong host
	secrets   []string             // tokens and the like that were given out
	persons   persons
	licensing licensing // what was written to the tenant
}

// Serve starts the servers. They run until Close is called or the context ends.
func (t *Tenant) Serve(ctx context.Context) (*Server, error) { return serve(ctx, t.o, t) }

func serve(ctx context.Context, o Options, c content) (*Server, error) {
	s := &Server{
		o: o, content: c, tokens: map[string]access{}, attempts: map[string]uint64{},
		downloads: map[string]download{}, spent: map[string][]expense{},
		licensing: licensing{people: map[int]*changed{}, seats: map[string]int{}},
		persons:   persons{codes: map[string]code{}, devices: map[string]*device{}, refresh: map[string]string{}},
	}
	for _, f := range o.Faults {
		times := f.Times
		if times == 0 {
			times = 1
		}
		s.left = append(s.left, times)
	}
	var listeners []net.Listener
	for _, h := range []struct {
		name    string
		url     *string
		handler http.HandlerFunc
	}{
		{"graph", &s.GraphURL, s.serveGraph}, {"login", &s.LoginURL, s.serveLogin}, {"reports", &s.ReportsURL, s.serveDownload},
	} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, fmt.Errorf("graphsim: listen for %s: %w", h.name, err)
		}
		listeners = append(listeners, l)
		*h.url = "http://" + l.Addr().String()
		s.servers = append(s.servers, &http.Server{Handler: s.recorded(h.name, h.handler), ReadHeaderTimeout: 10 * time.Second})
	}
	for i, srv := range s.servers {
		s.done.Go(func() { _ = srv.Serve(listeners[i]) }) // it ends when the server is shut
	}
	s.stop = context.AfterFunc(ctx, s.shut)
	return s, nil
}

// shut breaks all connections off.
func (s *Server) shut() {
	for _, srv := range s.servers {
		srv.Close()
	}
}

// Close stops the servers. It returns an error when a token was carried to the
// download host.
func (s *Server) Close() error {
	s.stop()
	s.shut()
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leaks) > 0 {
		return fmt.Errorf("graphsim: Authorization was sent to the download host: %s", strings.Join(s.leaks, ", "))
	}
	return nil
}

// Throttles says whether the server enforces the published limits.
func (s *Server) Throttles() bool { return s.o.Throttle }

// Log is the requests so far, in the order they were answered.
func (s *Server) Log() []RequestRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]RequestRecord(nil), s.log...)
}

// recorded writes every request into the log.
func (s *Server) recorded(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, keeps: name == "login"}
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.secrets = append(s.secrets, secretsOf(rec.Header(), rec.kept)...)
			s.log = append(s.log, RequestRecord{
				Server: name, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Status: rec.status, Bytes: rec.bytes,
				Authorized: r.Header.Get("Authorization") != "", Encoding: r.Header.Get("Accept-Encoding"),
				Scope: scopeOf(name, r),
			})
		}()
		if s.o.Before != nil {
			s.mu.Lock()
			s.requests++
			number := s.requests
			s.mu.Unlock()
			s.o.Before(number)
		}
		rec.Header().Set("Date", s.o.Clock().UTC().Format(http.TimeFormat))
		next.ServeHTTP(rec, r)
	})
}

// scopeOf is the scope of a request to the login host, which has read its form.
func scopeOf(server string, r *http.Request) string {
	if server != "login" {
		return ""
	}
	return r.Form.Get("scope")
}

// recorder remembers the status and the size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	keeps  bool   // the body, too
	kept   []byte // if it does
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.keeps {
		r.kept = append(r.kept, b...)
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// download is a report that may be fetched by who knows its link.
type download struct {
	function, period string
	expires          time.Time
}

// linkLife is how long a download link works.
const linkLife = 5 * time.Minute

// serveDownload is the host of the reports. It wants no token, and says so.
func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		s.mu.Lock()
		s.leaks = append(s.leaks, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		http.Error(w, "Authorization was sent to the download host, which is not Graph's. A token must never leave Graph's host.", http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	d, ok := s.downloads[r.URL.Query().Get("token")]
	s.mu.Unlock()
	if r.URL.Path != "/data/v1.0/download" || !ok {
		http.Error(w, "The download link is not known.", http.StatusNotFound)
		return
	}
	if _, fails := s.fault(d.function, 2, []FaultKind{ExpiredDownload}); fails || s.o.Clock().After(d.expires) {
		http.Error(w, "The download link has expired.", http.StatusForbidden)
		return
	}
	f, failing := s.fault(d.function, 2, []FaultKind{TooManyRequests, BadGateway, Unavailable, GatewayTimeout, Reset, HTML, CutShort, TruncatedGzip})
	if failing && s.fail(w, r, f) {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out, end := s.body(w, r, f.Kind)
	err := s.content.report(out, d.function, d.period)
	if err == nil {
		err = end()
	}
	if err != nil { // the client went away
		panic(http.ErrAbortHandler)
	}
}

// fail answers with a fault, if it is one that replaces the whole answer.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, f Fault) bool {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch f.Kind {
	case TooManyRequests:
		s.refuse(w, r, http.StatusTooManyRequests, "TooManyRequests", "Please retry again later.")
	case Forbidden:
		s.refuse(w, r, http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	case BadGateway:
		http.Error(w, "<html><head><title>502 Bad Gateway</title></head></html>", http.StatusBadGateway)
	case Unavailable:
		s.refuse(w, r, http.StatusServiceUnavailable, "ServiceUnavailable", "Service Unavailable")
	case GatewayTimeout:
		s.refuse(w, r, http.StatusGatewayTimeout, "UnknownError", "")
	case Reset:
		// Before the first byte, net/http would ask again on its own and hide it.
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			io.WriteString(c, "HTTP/1.1 200")
			c.Close()
		}
		panic(http.ErrAbortHandler)
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html><html><head><title>Sign in to continue</title></head><body>Your organisation's proxy wants you to sign in.</body></html>")
	default:
		return false
	}
	return true
}

// errCut ends an answer that is cut short.
var errCut = errors.New("cut short")

// body is where an answer's body is written to, and what ends it: compressed when
// the client takes gzip, and damaged when a fault says so.
func (s *Server) body(w http.ResponseWriter, r *http.Request, fault FaultKind) (io.Writer, func() error) {
	var out io.Writer = w
	end := func() error { return nil }
	if fault == CutShort || fault == TruncatedGzip {
		held := &strings.Builder{}
		out = held
		end = func() error {
			half := held.String()[:held.Len()/2]
			if fault == CutShort {
				w.Header().Set("Content-Length", fmt.Sprint(held.Len()))
			}
			io.WriteString(w, half)
			if fault == CutShort {
				return errors.Join(http.NewResponseController(w).Flush(), errCut)
			}
			return nil
		}
	}
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return out, end
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Vary", "Accept-Encoding")
	zip := compressors.Get().(*gzip.Writer)
	zip.Reset(out)
	return zip, func() error {
		err := zip.Close()
		compressors.Put(zip)
		return errors.Join(err, end())
	}
}

// compressors are reused from answer to answer: one holds some 800 KB.
var compressors = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails on unknown levels only
	return w
}}
