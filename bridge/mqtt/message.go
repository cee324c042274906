package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Message is what is published, and what is heard.
type Message struct {
	Topic string
	// Payload belongs to the package once it is given to Publish or Post, and
	// to the handler once it is handed out.
	Payload []byte
	// Retain asks the broker to keep the message for those who come later. On
	// a message that is heard it says that it was kept: nobody said it now.
	Retain bool
	// QoS is 0 (sent once) or 1 (acknowledged by the broker).
	QoS byte
	// Oversize is set on heard messages only: how many bytes the payload had
	// where that was more than Config.MaxPayload. Payload is nil then, it was
	// thrown away as it came.
	Oversize int
}

// maxPayload is what fits into a packet beside the longest topic.
const maxPayload = 268_435_455 - 65_535 - 4

func (m Message) check() error {
	if err := CheckTopic(m.Topic); err != nil {
		return err
	}
	if m.QoS > 1 {
		return fmt.Errorf("quality of service %d: only 0 and 1 are spoken here", m.QoS)
	}
	if len(m.Payload) > maxPayload {
		return fmt.Errorf("a payload of %d bytes: more than a packet holds", len(m.Payload))
	}
	return nil
}

// CheckTopic says what is wrong with a topic to publish to.
func CheckTopic(topic string) error {
	if err := checkText(topic); err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	if i := strings.IndexAny(topic, "+#"); i >= 0 {
		return fmt.Errorf("topic %q: %q is a wildcard, which is for subscribing only", topic, topic[i])
	}
	return nil
}

// CheckFilter says what is wrong with a filter to subscribe to.
func CheckFilter(filter string) error {
	if err := checkText(filter); err != nil {
		return fmt.Errorf("filter %q: %w", filter, err)
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return fmt.Errorf("filter %q: + and # must have a level of their own", filter)
		}
		if level == "#" && i < len(levels)-1 {
			return fmt.Errorf("filter %q: # must be the last level", filter)
		}
	}
	return nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case len(s) > 65_535:
		return errors.New("is longer than 65535 bytes")
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	case strings.ContainsRune(s, 0):
		return errors.New("holds a zero byte")
	}
	return nil
}

// matches reports whether a subscription to filter hears topic.
func matches(filter, topic string) bool {
	// The broker's own topics are not for those who ask for everything.
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, filterRest, moreFilter := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, topicRest, moreTopic := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !moreTopic {
			// a/# hears a, too.
			return !moreFilter || filterRest == "#"
		}
		if !moreFilter {
			return false
		}
		filter, topic = filterRest, topicRest
	}
}
