package mediaserver

import (
	"net/url"
	"path"
	"regexp"
	"strings"
)

// attribute is where a tag of a playlist names an address: #EXT-X-KEY,
// #EXT-X-MAP, #EXT-X-MEDIA and others.
var attribute = regexp.MustCompile(`URI="([^"]*)"`)

// rewrite puts other names in the place of all web addresses in a playlist of
// HLS that was found at base. What is no web address stays (data:, skd:).
func rewrite(text string, base *url.URL, name func(address, ending string) string) string {
	other := func(address string) string {
		u, err := base.Parse(strings.TrimSpace(address))
		if err != nil || !web(u) {
			return address
		}
		return name(u.String(), endingOf(u))
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		content := strings.TrimRight(line, "\r\n")
		end := line[len(content):]
		switch {
		case strings.HasPrefix(content, "#EXT"):
			content = attribute.ReplaceAllStringFunc(content, func(m string) string {
				return `URI="` + other(attribute.FindStringSubmatch(m)[1]) + `"`
			})
		case content != "" && !strings.HasPrefix(content, "#") && strings.TrimSpace(content) != "":
			content = other(content)
		}
		out.WriteString(content)
		out.WriteString(end)
	}
	return out.String()
}

// endingOf is the ending of an address, if it is one that players look at.
func endingOf(u *url.URL) string {
	switch e := strings.ToLower(path.Ext(u.Path)); e {
	case ".m3u8", ".ts", ".m4s", ".mp4", ".m4v", ".m4a", ".aac", ".ac3", ".ec3", ".mp3", ".vtt", ".webvtt", ".cmfv", ".cmfa", ".key":
		return e
	}
	return ""
}
