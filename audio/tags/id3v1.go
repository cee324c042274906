package tags

import (
	"bytes"
	"strconv"
	"strings"
)

// ID3v1Size is the size of the tag at the end of old files, in bytes.
const ID3v1Size = 128

// ParseID3v1 reads an ID3v1 tag, the last 128 bytes of a file; false if b is
// none. What does not fit there was cut when it was written.
//
//	0    3      33      63     93    97       125  126    127
//	TAG  title  artist  album  year  comment  0    track  genre
func ParseID3v1(b []byte) (Tags, bool) {
	if len(b) != ID3v1Size || string(b[:3]) != "TAG" {
		return Tags{}, false
	}
	t := Tags{
		Title:  fixedText(b[3:33]),
		Artist: fixedText(b[33:63]),
		Album:  fixedText(b[63:93]),
		Year:   leadingNumber(fixedText(b[93:97])),
	}
	if b[125] == 0 { // version 1.1
		t.Track = int(b[126])
	}
	if int(b[127]) < len(genres) {
		t.Genre = genres[b[127]]
	}
	return t, true
}

// fixedText is a text that ends at its first zero, or with its field.
func fixedText(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return Clean(string(b))
}

// genreName is the name of what TCON holds: a number, one in parentheses with or
// without a name behind it, or a name.
func genreName(s string) string {
	s = strings.TrimSpace(s)
	number, name := s, ""
	if strings.HasPrefix(s, "(") && !strings.HasPrefix(s, "((") {
		var ok bool
		if number, name, ok = strings.Cut(s[1:], ")"); !ok {
			return s
		}
		if name != "" && !strings.HasPrefix(name, "(") {
			return name
		}
	}
	switch number {
	case "RX":
		return "Remix"
	case "CR":
		return "Cover"
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return s
	}
	if n < 0 || n >= len(genres) {
		return ""
	}
	return genres[n]
}

// genres are the numbered genres: those of ID3v1, and behind 79 Winamp's.
var genres = strings.Split(`Blues,Classic Rock,Country,Dance,Disco,Funk,Grunge,Hip-Hop,Jazz,Metal,`+
	`New Age,Oldies,Other,Pop,R&B,Rap,Reggae,Rock,Techno,Industrial,`+
	`Alternative,Ska,Death Metal,Pranks,Soundtrack,Euro-Techno,Ambient,Trip-Hop,Vocal,Jazz & Funk,`+
	`Fusion,Trance,Classical,Instrumental,Acid,House,Game,Sound Clip,Gospel,Noise,`+
	`Alternative Rock,Bass,Soul,Punk,Space,Meditative,Instrumental Pop,Instrumental Rock,Ethnic,Gothic,`+
	`Darkwave,Techno-Industrial,Electronic,Pop-Folk,Eurodance,Dream,Southern Rock,Comedy,Cult,Gangsta,`+
	`Top 40,Christian Rap,Pop/Funk,Jungle,Native American,Cabaret,New Wave,Psychedelic,Rave,Showtunes,`+
	`Trailer,Lo-Fi,Tribal,Acid Punk,Acid Jazz,Polka,Retro,Musical,Rock & Roll,Hard Rock,`+
	`Folk,Folk-Rock,National Folk,Swing,Fast Fusion,Bebop,Latin,Revival,Celtic,Bluegrass,`+
	`Avantgarde,Gothic Rock,Progressive Rock,Psychedelic Rock,Symphonic Rock,Slow Rock,Big Band,Chorus,Easy Listening,Acoustic,`+
	`Humour,Speech,Chanson,Opera,Chamber Music,Sonata,Symphony,Booty Bass,Primus,Porn Groove,`+
	`Satire,Slow Jam,Club,Tango,Samba,Folklore,Ballad,Power Ballad,Rhythmic Soul,Freestyle,`+
	`Duet,Punk Rock,Drum Solo,A Cappella,Euro-House,Dance Hall,Goa,Drum & Bass,Club-House,Hardcore,`+
	`Terror,Indie,BritPop,Worldbeat,Polsk Punk,Beat,Christian Gangsta Rap,Heavy Metal,Black Metal,Crossover,`+
	`Contemporary Christian,Christian Rock,Merengue,Salsa,Thrash Metal,Anime,JPop,Synthpop,Abstract,Art Rock,`+
	`Baroque,Bhangra,Big Beat,Breakbeat,Chillout,Downtempo,Dub,EBM,Eclectic,Electro,`+
	`Electroclash,Emo,Experimental,Garage,Global,IDM,Illbient,Industro-Goth,Jam Band,Krautrock,`+
	`Leftfield,Lounge,Math Rock,New Romantic,Nu-Breakz,Post-Punk,Post-Rock,Psytrance,Shoegaze,Space Rock,`+
	`Trop Rock,World Music,Neoclassical,Audiobook,Audio Theatre,Neue Deutsche Welle,Podcast,Indie Rock,G-Funk,Dubstep,`+
	`Garage Rock,Psybient`, ",")
