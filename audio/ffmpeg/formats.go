package ffmpeg

import "strings"

// formats are the containers that the guest may recognise: those that hold
// sound, and none that names other files (hls, concat, dash, imf …) or is a
// picture or a script.
var formats = strings.Join([]string{
	"aac", "loas", "mov", "asf", "xwma", "matroska", "avi", "flv", "mpegts", "mpeg", "rm",
	"mp3", "flac", "ogg", "wav", "w64", "aiff", "caf", "au", "voc", "amr", "ape", "wv", "tta", "tak",
	"mpc", "mpc8", "ac3", "eac3", "dts", "dtshd", "truehd", "mlp", "dsf", "iff", "shn", "oma", "gsm", "nut", "aptx",
	"sbc", "adx", "vqf", "qcp",
}, ",")

// codecs are the decoders that the guest may use: those for sound. A film's
// pictures are not looked at, and so cannot do harm.
var codecs = strings.Join([]string{
	"aac", "aac_fixed", "aac_latm", "alac", "wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice", "xma1", "xma2",
	"mp3", "mp3float", "mp2", "mp2float", "mp1", "mp1float", "mp3on4", "mp3on4float", "mp3adu", "mp3adufloat",
	"ac3", "ac3_fixed", "eac3", "dca", "truehd", "mlp", "opus", "libopus", "vorbis", "libvorbis", "speex", "libspeex", "flac",
	"wavpack", "tta", "tak", "ape", "mpc7", "mpc8", "shorten", "als", "ralf", "cook", "sipr", "ra_144", "ra_288",
	"atrac1", "atrac3", "atrac3al", "atrac3plus", "atrac9", "atrac3plusal", "twinvq", "qdm2", "qdmc", "qcelp", "evrc", "nellymoser",
	"amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb", "gsm", "gsm_ms", "libgsm", "libgsm_ms", "ilbc", "truespeech",
	"aptx", "aptx_hd", "sbc", "dst", "dsd_lsbf", "dsd_msbf", "dsd_lsbf_planar", "dsd_msbf_planar",
	"g722", "g723_1", "g729", "g726", "g726le", "mace3", "mace6",
	"adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_g722", "adpcm_g726", "adpcm_g726le", "adpcm_swf", "adpcm_yamaha", "adpcm_adx",
	"pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "pcm_u8", "pcm_s8", "pcm_s8_planar",
	"pcm_s16le", "pcm_s16be", "pcm_s16le_planar", "pcm_s16be_planar", "pcm_u16le", "pcm_u16be",
	"pcm_s24le", "pcm_s24be", "pcm_s24le_planar", "pcm_u24le", "pcm_u24be", "pcm_s32le", "pcm_s32be", "pcm_s32le_planar",
	"pcm_u32le", "pcm_u32be", "pcm_s64le", "pcm_s64be", "pcm_f16le", "pcm_f24le",
	"pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be",
}, ",")
