// Package voice makes sound of text, and remembers for a while what it made.
// Who speaks is a [Voice]: a [Command] of this machine, or whatever else can.
//
//	s := voice.New(voice.Config{Voices: []voice.Voice{
//		voice.Command{Args: []string{"espeak-ng", "--stdin", "--stdout"}},
//	}})
//	defer s.Close()
//	wav, err := s.Speak(ctx, voice.Text{Message: "Dinner is ready"})
package voice
