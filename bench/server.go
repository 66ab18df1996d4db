package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	tenantID = "5b4a3c2d-0000-4000-8000-00000000bead"
	clientID = "5b4a3c2d-0000-4000-8000-00000000c11e"
	secret   = "of-the-benchmark"
)

// pageServer is a server of kept pages in a process of its own, so that its work is
// not counted.
type pageServer struct {
	process *exec.Cmd
	stop    io.Closer
	full    string // root at which users are full
	sel     string // root at which they are selected
}

// startServer runs this program once more, as a server of the pages below a folder.
func startServer(dir string, arguments ...string) (*pageServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := exec.Command(self, append([]string{"-serve", dir}, arguments...)...)
	p.Stderr = os.Stderr
	p.Env = append(os.Environ(), "GOMAXPROCS=1")
	stdin, err := p.StdinPipe() // the server ends with it
	if err != nil {
		return nil, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	s := &pageServer{process: p, stop: stdin}
	if _, err := fmt.Fscan(bufio.NewReader(out), &s.full, &s.sel); err != nil {
		return nil, errors.Join(fmt.Errorf("page server: %w", err), s.Close())
	}
	return s, nil
}

func (s *pageServer) Close() error { return errors.Join(s.stop.Close(), s.process.Wait()) }

// serve is the server process: it holds every page compressed, prints its roots and
// answers until its input ends.
func serve(dir string, endless tenantSize) error {
	var roots []string
	for _, users := range []string{usersFull, usersSelected} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		root := "http://" + listener.Addr().String()
		h := &handler{root: root, pages: map[string][][]byte{}, reports: map[string][]byte{}}
		if endless.users > 0 {
			h.endless = newEndless(root, endless)
		} else if err := h.load(dir, users); err != nil {
			return err
		}
		go func() { _ = http.Serve(listener, h) }() // ends with the process
		roots = append(roots, root)
	}
	fmt.Println(roots[0], roots[1])
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// handler speaks as much of Graph as a run asks for.
type handler struct {
	root    string
	pages   map[string][][]byte // gzip, by path
	reports map[string][]byte   // gzip
	endless *endless            // makes pages as they are asked for
}

func (h *handler) load(dir, users string) error {
	for path, set := range map[string]string{"/beta/users": users, "/v1.0/auditLogs/signIns": signIns, "/v1.0/subscribedSkus": skus} {
		files, err := filepath.Glob(filepath.Join(dir, set, "*.json"))
		if err != nil {
			return err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			h.pages[path] = append(h.pages[path], pack(bytes.ReplaceAll(text, []byte(origin), []byte(h.root)), gzip.DefaultCompression))
		}
	}
	for name := range reports {
		text, err := os.ReadFile(filepath.Join(dir, name+".csv"))
		if err != nil {
			return err
		}
		h.reports[name] = pack(text, gzip.DefaultCompression)
	}
	return nil
}

func pack(text []byte, level int) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err == nil {
		_, err = w.Write(text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // nothing fails in memory
	}
	return b.Bytes()
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", base.Format(http.TimeFormat))
	function, _, _ := strings.Cut(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "(")
	switch {
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"token_type":"Bearer","expires_in":86400,"access_token":"opaque"}`)
	case h.endless != nil && h.endless.serve(w, r, function):
	case h.pages[r.URL.Path] != nil:
		number, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
		answer(w, h.pages[r.URL.Path][number], "application/json")
	case strings.HasPrefix(r.URL.Path, "/file/"):
		answer(w, h.reports[function], "text/csv")
	case h.reports[function] != nil:
		http.Redirect(w, r, h.root+"/file/"+function, http.StatusFound)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"code":"ResourceNotFound","message":"not of the benchmark"}}`)
	}
}

func answer(w http.ResponseWriter, body []byte, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // fails when the client has gone
}

// tenantSize is how many users and sign-ins an endless server has; 0 users is no
// endless server.
type tenantSize struct{ users, signIns int }

// endless makes the pages of a tenant that is too large to be kept: one page of
// each collection, with other ids and times in every copy.
type endless struct {
	root  string
	size  tenantSize
	sets  map[string]*stencil
	small map[string][]byte
}

// stencil is a page with places to fill in.
type stencil struct {
	text  []byte
	rows  int
	pages int
	ids   []int // where the last 12 digits of each row's id stand
	times []int // where each row's createdDateTime stands
	link  int   // where the number in the link stands
}

func newEndless(root string, size tenantSize) *endless {
	e := &endless{root: root, size: size, sets: map[string]*stencil{}, small: map[string][]byte{}}
	g := newGenerator(1)
	const usersAPage, signInsAPage = 500, 1000
	for _, set := range []struct {
		path        string
		rows, total int
		row         func()
	}{
		{"/beta/users", usersAPage, size.users, g.userSelected},
		{"/v1.0/auditLogs/signIns", signInsAPage, size.signIns, func() { g.signIn(base) }},
	} {
		g.b = nil
		g.object(func() {
			g.text("@odata.nextLink", root+set.path+"?$skiptoken=00000000")
			g.key("value")
			g.array(func() {
				for range set.rows {
					g.object(set.row)
				}
			})
		})
		s := &stencil{text: g.b, rows: set.rows, pages: (set.total + set.rows - 1) / set.rows}
		s.link = bytes.Index(s.text, []byte("00000000"))
		for _, mark := range []struct {
			name string
			to   *[]int
			at   int
		}{{`{"id":"`, &s.ids, 24}, {`"createdDateTime":"`, &s.times, 0}} {
			for i := s.link; ; {
				k := bytes.Index(s.text[i:], []byte(mark.name))
				if k < 0 {
					break
				}
				i += k + len(mark.name)
				*mark.to = append(*mark.to, i+mark.at)
			}
		}
		if len(s.ids) > set.rows { // policies have ids too, and come in between
			s.ids = signInIDs(s.text, s.times)
		}
		e.sets[set.path] = s
	}
	g.b = nil
	n := 0
	g.object(func() {
		g.key("value")
		g.array(func() {
			for range g.skus {
				g.object(func() { g.sku(n); n++ })
			}
		})
	})
	e.small["/v1.0/subscribedSkus"] = pack(g.b, gzip.BestSpeed)
	for name, table := range reports {
		e.small[name] = pack(newGenerator(2).report(table, size.users), gzip.BestSpeed)
	}
	return e
}

// signInIDs is where the last digits of sign-ins' ids stand: right before their
// times.
func signInIDs(text []byte, times []int) (ids []int) {
	const between = `","createdDateTime":"`
	for _, t := range times {
		ids = append(ids, t-len(between)-12)
	}
	return ids
}

func (e *endless) serve(w http.ResponseWriter, r *http.Request, function string) bool {
	if s := e.sets[r.URL.Path]; s != nil {
		number, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
		answer(w, e.page(s, number, strings.Contains(r.URL.Path, "signIns")), "application/json")
		return true
	}
	if strings.HasPrefix(r.URL.Path, "/file/") {
		answer(w, e.small[function], "text/csv")
		return true
	}
	if e.small[function] != nil {
		http.Redirect(w, r, e.root+"/file/"+function, http.StatusFound)
		return true
	}
	if body := e.small[r.URL.Path]; body != nil {
		answer(w, body, "application/json")
		return true
	}
	return false
}

// page fills in the number-th copy of a page. Sign-ins go back through 30 days.
func (e *endless) page(s *stencil, number int, dated bool) []byte {
	text := bytes.Clone(s.text)
	for i, at := range s.ids {
		copy(text[at:], fmt.Sprintf("%012x", number*s.rows+i))
	}
	if dated {
		for i, at := range s.times {
			back := time.Duration(float64(number*s.rows+i) / float64(s.pages*s.rows) * float64(29*24*time.Hour))
			copy(text[at:], base.Add(-back-time.Second).Format(time.RFC3339))
		}
	}
	copy(text[s.link:], fmt.Sprintf("%08d", number+1))
	if number+1 == s.pages {
		name := bytes.Index(text[:s.link], []byte("@odata.nextLink"))
		copy(text[name:], "@odata.prevLink")
	}
	return pack(text, gzip.BestSpeed)
}
