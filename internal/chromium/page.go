package chromium

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Page is a tab.
type Page struct {
	browser *Browser
	session string

	mu         sync.Mutex
	complaints []string
}

// fields are the parameters of a call.
type fields map[string]any

// Page opens a tab at an address.
func (b *Browser) Page(t testing.TB, url string) *Page {
	t.Helper()
	var target struct{ TargetID string }
	var attached struct{ SessionID string }
	b.must(t, "", "Target.createTarget", fields{"url": "about:blank"}, &target)
	b.must(t, "", "Target.attachToTarget", fields{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &Page{browser: b, session: attached.SessionID}
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "DOM", "Accessibility"} {
		p.must(t, domain+".enable", nil, nil)
	}
	p.must(t, "Page.navigate", fields{"url": url}, nil)
	return p
}

func (b *Browser) must(t testing.TB, session, method string, params, into any) {
	t.Helper()
	result, err := b.call(session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *Page) must(t testing.TB, method string, params, into any) {
	t.Helper()
	p.browser.must(t, p.session, method, params, into)
}

// happened notes what a developer would see in red.
func (p *Page) happened(method string, params json.RawMessage) {
	var what struct {
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails json.RawMessage
		Type             string
	}
	_ = json.Unmarshal(params, &what)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case method == "Log.entryAdded" && what.Entry.Level == "error":
		p.complaints = append(p.complaints, what.Entry.Text+" "+what.Entry.URL)
	case method == "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, string(what.ExceptionDetails))
	case method == "Runtime.consoleAPICalled" && (what.Type == "error" || what.Type == "assert"):
		p.complaints = append(p.complaints, string(params))
	}
}

// Complaints are errors, and what the policy of the page forbade, since the
// last call.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.complaints
	p.complaints = nil
	return list
}

// Eval evaluates an expression and returns its value as text.
func (p *Page) Eval(t testing.TB, expression string) string {
	t.Helper()
	var r struct {
		Result struct {
			Value       any
			Description string
		}
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	p.must(t, "Runtime.evaluate", fields{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		t.Fatalf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(r.Result.Value)
}

// Wait waits until an expression is true.
func (p *Page) Wait(t testing.TB, expression string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if p.Eval(t, "Boolean("+expression+")") == "true" {
			return
		}
	}
	t.Fatalf("within %v it is not so: %s\nthe page says: %s\ncomplaints: %v",
		patience, expression, p.Eval(t, "document.body.innerText"), p.Complaints())
}

// Text is what is read in an element.
func (p *Page) Text(t testing.TB, selector string) string {
	t.Helper()
	return p.Eval(t, one(selector)+".textContent")
}

// one is the expression of an element.
func one(selector string) string {
	quoted, _ := json.Marshal(selector)
	return "document.querySelector(" + string(quoted) + ")"
}

// place is where an element is in the window, across from 0 to 1.
func (p *Page) place(t testing.TB, selector string, across float64) (x, y float64) {
	t.Helper()
	p.Wait(t, one(selector)+" !== null")
	var spot struct{ X, Y, Width, Height float64 }
	text := p.Eval(t, "(() => { const e = "+one(selector)+`; e.scrollIntoView({block: "center", behavior: "instant"});
		const r = e.getBoundingClientRect(); return JSON.stringify(r); })()`)
	if err := json.Unmarshal([]byte(text), &spot); err != nil {
		t.Fatal(err)
	}
	if spot.Width == 0 || spot.Height == 0 {
		t.Fatalf("%s cannot be seen", selector)
	}
	return spot.X + across*spot.Width, spot.Y + spot.Height/2
}

// Click clicks in the middle of an element.
func (p *Page) Click(t testing.TB, selector string) {
	t.Helper()
	p.ClickAt(t, selector, 0.5)
}

// ClickAt clicks on a place of an element, across from 0 to 1.
func (p *Page) ClickAt(t testing.TB, selector string, across float64) {
	t.Helper()
	x, y := p.place(t, selector, across)
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		p.must(t, "Input.dispatchMouseEvent", fields{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}, nil)
	}
}

// Type clicks on an element and types a text.
func (p *Page) Type(t testing.TB, selector, text string) {
	t.Helper()
	p.Click(t, selector)
	p.must(t, "Input.insertText", fields{"text": text}, nil)
}

// Choose chooses a file of this machine in an element.
func (p *Page) Choose(t testing.TB, selector, path string) {
	t.Helper()
	var found struct {
		Result struct{ ObjectID string }
	}
	p.must(t, "Runtime.evaluate", fields{"expression": one(selector)}, &found)
	p.must(t, "DOM.setFileInputFiles", fields{"files": []string{path}, "objectId": found.Result.ObjectID}, nil)
}

// Window sets the size of the window, in pixels of CSS, and how many real ones
// make one of those; a phone has a touch screen.
func (p *Page) Window(t testing.TB, width, height int, scale float64, kind string) {
	t.Helper()
	p.must(t, "Emulation.setDeviceMetricsOverride", fields{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": kind == "phone"}, nil)
}

// Scheme has the page think that a person wants it light or dark.
func (p *Page) Scheme(t testing.TB, scheme string) {
	t.Helper()
	p.must(t, "Emulation.setEmulatedMedia", fields{"features": []fields{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Screenshot is the window as a PNG.
func (p *Page) Screenshot(t testing.TB) []byte {
	t.Helper()
	var shot struct{ Data string }
	p.must(t, "Page.captureScreenshot", fields{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		t.Fatal(err)
	}
	return png
}

// Nameless lists what can be operated and has no name for those who do not see
// the page.
func (p *Page) Nameless(t testing.TB) (list []string) {
	t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value string }
			NodeID     string
		}
	}
	p.must(t, "Accessibility.getFullAXTree", nil, &tree)
	operated := []string{"button", "textbox", "slider", "combobox", "checkbox", "link", "DisclosureTriangle", "progressbar", "img", "image"}
	seen := 0
	for _, n := range tree.Nodes {
		if n.Ignored || !slices.Contains(operated, n.Role.Value) {
			continue
		}
		seen++
		if strings.TrimSpace(n.Name.Value) == "" {
			list = append(list, n.Role.Value+" "+n.NodeID)
		}
	}
	if seen == 0 {
		t.Error("nothing at all can be operated")
	}
	return list
}
