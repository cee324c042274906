package web

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
)

// A Metric is something that is counted or measured, in Prometheus' sense.
type Metric struct {
	Name string
	Help string // one sentence
	Kind string // counter, gauge or histogram
	// Samples are its values.
	Samples []Sample
}

// A Sample is one value of a metric.
type Sample struct {
	// Suffix follows the name, as _bucket, _sum and _count of a histogram.
	Suffix string
	// Labels are names and values in turn.
	Labels []string
	Value  float64
}

// Counted is a metric of one value without labels.
func Counted(name, kind, help string, value float64) Metric {
	return Metric{Name: name, Help: help, Kind: kind, Samples: []Sample{{Value: value}}}
}

// write writes a metric as text (exposition format 0.0.4).
func (m Metric) write(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", m.Name, helpEscaper.Replace(m.Help), m.Name, m.Kind)
	for _, s := range m.Samples {
		io.WriteString(w, m.Name+s.Suffix)
		for i := 0; i+1 < len(s.Labels); i += 2 {
			fmt.Fprintf(w, "%c%s=\"%s\"", "{,"[min(i, 1)], s.Labels[i], labelEscaper.Replace(s.Labels[i+1]))
		}
		if len(s.Labels) > 1 {
			io.WriteString(w, "}")
		}
		io.WriteString(w, " "+strconv.FormatFloat(s.Value, 'g', -1, 64)+"\n")
	}
}

var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// metrics answers Prometheus.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	out := bufio.NewWriter(w)
	defer out.Flush()
	for _, m := range append(s.cfg.Measure(), s.own()...) {
		m.write(out)
	}
}

// own is what the page and the program itself have.
func (s *Server) own() []Metric {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	value := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return float64(samples[i].Value.Uint64())
	}
	return []Metric{
		Counted("airplay2mqtt_pages", "gauge", "Browsers that show the page.", float64(s.hub.count())),
		Counted("go_goroutines", "gauge", "Goroutines that exist.", float64(runtime.NumGoroutine())),
		Counted("airplay2mqtt_heap_live_bytes", "gauge", "Memory that the last garbage collection has left.", value(0)),
		Counted("airplay2mqtt_memory_bytes", "gauge", "Memory that the program has from the system.", value(1)),
	}
}

// health answers whoever looks whether the bridge lives.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.cfg.Health(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write(append(encode(map[string]string{"status": "error", "error": err.Error()}), '\n'))
		return
	}
	io.WriteString(w, "{\"status\":\"ok\"}\n")
}
