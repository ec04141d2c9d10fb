"""What a file is, by its first bytes: its name tells nothing, as a TIFF is often called .png.

One table of what is read and one of what is not, each with what to do about it. A format is added by a line.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.images.picture import ImageError

START = 400  # bytes of a file that are looked at


@dataclass(frozen=True)
class Signature:
    """Bytes at a place of a file. name: of a format that is read, or what else this is, as the start of a sentence.

    text: the bytes are letters in small, which may stand there in capitals, behind blanks or a byte order mark.
    """

    name: str
    magic: bytes
    at: int = 0
    advice: str = ""
    text: bool = False

    def fits(self, start: bytes) -> bool:
        """Say whether a file that begins so is of this kind."""
        if not self.text:
            return start.startswith(self.magic, self.at)
        return start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n").lower().startswith(self.magic)


def _brands(name: str, brands: bytes, advice: str = "") -> tuple[Signature, ...]:
    """Return the signatures of formats in the box layout of MPEG-4, each known by four letters."""
    return tuple(Signature(name, b"ftyp" + brand, 4, advice) for brand in brands.split())


PICTURE = "which is not read here; export it as PNG or TIFF"
MICROSCOPE = "which is not read here; export it as OME-TIFF, as Fiji's Bio-Formats can"
ARRAYS = "which is not read here; save each image in it as a TIFF"
VIDEO = "which is not read here; save the frames you need as PNG or TIFF"
PAGE = "and no picture; export the picture in it as PNG or TIFF"
NOT = "and no picture"

#: What looks like a format that is read, and is not.
ALIKE = (Signature("a raw picture of a camera (CR2)", b"CR\x02\x00", 8, PICTURE),)

#: Endings of formats that are a TIFF or JPEG in which only an overview or a thumbnail could be read.
CONTAINERS = {
    ".vsi": "an Olympus file (VSI), whose picture lies in other files",
    ".mrxs": "a MIRAX slide (MRXS), whose picture lies in other files",
    **dict.fromkeys((".dng", ".nef", ".arw", ".cr2", ".orf", ".rw2"), "a raw picture of a camera"),
}

#: The formats that are read. The first that fits is taken.
READ = (
    Signature("JPEG", b"\xff\xd8\xff"),
    Signature("PNG", b"\x89PNG\r\n\x1a\n"),
    Signature("BMP", b"BM"),
    Signature("TIFF", b"II*\x00"),
    Signature("TIFF", b"MM\x00*"),
    Signature("TIFF", b"II+\x00"),
    Signature("TIFF", b"MM\x00+"),
    Signature("GIF", b"GIF87a"),
    Signature("GIF", b"GIF89a"),
    Signature("WebP", b"WEBP", 8),
    Signature("JPEG 2000", b"\x00\x00\x00\x0cjP  \r\n\x87\n"),
    Signature("JPEG 2000", b"\x00\x00\x00\x0cjP\x1a\x1a\r\n\x87\n"),
    Signature("JPEG 2000", b"\xff\x4f\xff\x51"),
    *_brands("AVIF", b"avif avis"),
    *(Signature("PNM", b"P%d%c" % (kind, space)) for kind in range(1, 8) for space in b" \t\r\n"),
    Signature("CZI", b"ZISRAWFILE"),
    Signature("ND2", b"\xda\xce\xbe\x0a"),
    Signature("LIF", b"\x70\x00\x00\x00"),
)

#: What is met in folders of images and is not read.
NOT_READ = (
    *_brands("a HEIC picture", b"heic heix heim heis hevc hevx", PICTURE),
    *_brands("a HEIF picture", b"mif1 msf1", PICTURE),
    *_brands("a video (MPEG-4 or QuickTime)", b"isom iso2 iso4 iso5 iso6 mp41 mp42 avc1 M4V qt 3gp4 3gp5 dash", VIDEO),
    *_brands("a raw picture of a camera (CR3)", b"crx", PICTURE),
    Signature("a video (QuickTime)", b"moov", 4, VIDEO),
    Signature("a video (AVI)", b"AVI ", 8, VIDEO),
    Signature("a video (Matroska or WebM)", b"\x1a\x45\xdf\xa3", 0, VIDEO),
    Signature("a video (MPEG)", b"\x00\x00\x01\xba", 0, VIDEO),
    Signature("a JPEG XL picture", b"\xff\x0a", 0, PICTURE),
    Signature("a JPEG XL picture", b"\x00\x00\x00\x0cJXL \r\n\x87\n", 0, PICTURE),
    Signature("a JPEG XR picture", b"II\xbc\x01", 0, PICTURE),
    Signature("a Photoshop picture (PSD)", b"8BPS", 0, PICTURE),
    Signature("a GIMP picture (XCF)", b"gimp xcf", 0, PICTURE),
    Signature("an OpenEXR picture", b"\x76\x2f\x31\x01", 0, PICTURE),
    Signature("a Radiance picture (HDR)", b"#?RADIANCE", 0, PICTURE),
    Signature("a PFM picture", b"PF\n", 0, PICTURE),
    Signature("a PFM picture", b"Pf\n", 0, PICTURE),
    Signature("an icon (ICO)", b"\x00\x00\x01\x00", 0, PICTURE),
    Signature("a raw picture of a camera (RAF)", b"FUJIFILMCCD-RAW", 0, PICTURE),
    Signature("a raw picture of a camera (RW2)", b"IIU\x00", 0, PICTURE),
    Signature("a raw picture of a camera (ORF)", b"IIRO", 0, PICTURE),
    Signature("a DjVu document", b"AT&TFORM", 0, PICTURE),
    Signature("a PDF document", b"%PDF", 0, PAGE),
    Signature("a PostScript document", b"%!PS", 0, PAGE),
    Signature("an SVG drawing", b"<svg", 0, PAGE, text=True),
    Signature("an SVG drawing", b"<!doctype svg", 0, PAGE, text=True),
    Signature("an XML text, perhaps an SVG drawing", b"<?xml", 0, PAGE, text=True),
    Signature("a DICOM file", b"DICM", 128, "which is not read here; export it as TIFF"),
    Signature("a NIfTI volume", b"n+1\x00", 344, "which is not read here; save its slices as TIFF"),
    Signature("a NIfTI volume", b"ni1\x00", 344, "which is not read here; save its slices as TIFF"),
    Signature("a NRRD volume", b"NRRD000", 0, "which is not read here; save its slices as TIFF"),
    Signature("a FITS file", b"SIMPLE  =", 0, ARRAYS),
    Signature("an HDF5 file, as Imaris (IMS), ilastik and BigDataViewer write", b"\x89HDF\r\n\x1a\n", 0, ARRAYS),
    Signature(
        "an OLE file, as Zeiss (ZVI) and Olympus (OIB) microscopes write",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        0,
        MICROSCOPE,
    ),
    Signature("an Olympus file (OIF)", b"\xff\xfe[\x00F\x00i\x00l\x00e", 0, MICROSCOPE),
    Signature("an Olympus file (OIR)", b"OLYMPUSRAWFORMAT", 0, MICROSCOPE),
    Signature("an MRC volume", b"MAP ", 208, MICROSCOPE),
    Signature("a MATLAB file", b"MATLAB 5.0", 0, ARRAYS),
    Signature("a NumPy array", b"\x93NUMPY", 0, ARRAYS),
    Signature("a pickled Python object", b"\x80\x04\x95", 0, ARRAYS),
    Signature("a zip archive, as of Excel, NumPy (NPZ), Zarr or ImageJ's ROIs", b"PK\x03\x04", 0, NOT + "; unpack it"),
    Signature("a gzip archive", b"\x1f\x8b", 0, NOT + "; unpack it"),
    Signature("a 7-Zip archive", b"7z\xbc\xaf\x27\x1c", 0, NOT + "; unpack it"),
    Signature("a RAR archive", b"Rar!\x1a\x07", 0, NOT + "; unpack it"),
    Signature("a note of Git LFS and not the file itself", b"version https://git-lfs", 0, "; run `git lfs pull`"),
    Signature("a note of macOS about another file (AppleDouble)", b"\x00\x05\x16\x07", 0, NOT + "; it can be deleted"),
    *(
        Signature("a web page (HTML)", begin, 0, NOT + ", as where a download failed; download it again", text=True)
        for begin in (b"<!doctype", b"<html", b"<head", b"<body", b"<!--")
    ),
    *(Signature("a JSON text", start, 0, NOT) for start in (b'{"', b"{\n", b"{ ", b"[{")),
    Signature("a file of zeros", bytes(64), 0, NOT + ", as where a copy or a download broke off; copy it again"),
)

#: Endings of pictures that are read, whatever their files really are.
READ_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".avif",
    ".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf", ".pnm", ".pbm", ".pgm", ".ppm", ".pam",
    ".tif", ".tiff", ".btf", ".tf2", ".tf8", ".lsm", ".stk", ".svs", ".scn", ".ndpi", ".qptiff",
    ".czi", ".nd2", ".lif",
})  # fmt: skip
#: Endings of pictures and volumes that are not read: listed all the same, so that each is named with the reason.
UNREAD_SUFFIXES = frozenset({
    ".heic", ".heif", ".hif", ".jxl", ".jxr", ".wdp", ".psd", ".xcf", ".exr", ".hdr", ".svg", ".pdf",
    ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".dng",
    ".dcm", ".dicom", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".mrc", ".dv", ".vsi", ".oib", ".oif", ".oir", ".zvi",
    ".ims", ".mrxs", ".bif", ".avi", ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".wmv",
})  # fmt: skip


def format_of(start: bytes, suffix: str = "") -> str:
    """Return the name of the format of a file, by its first START bytes. Raises ImageError where it is not read.

    suffix: the ending of its name, which is looked at only where another format uses the container of one that is read.
    """
    if not start:
        raise ImageError("empty file (0 bytes)")
    for known in (*ALIKE, *READ, *NOT_READ):
        if known.fits(start):
            if not known.advice and suffix.lower() in CONTAINERS:
                raise ImageError(f"{CONTAINERS[suffix.lower()]}, {PICTURE}")
            if not known.advice:
                return known.name
            comma = "" if known.advice.startswith(";") else " " if known.advice.startswith("and") else ", "
            raise ImageError(f"{known.name}{comma}{known.advice}")
    names = ", ".join(dict.fromkeys(known.name for known in READ))
    raise ImageError(f"not an image: the file starts with '{_shown(start)}', it is none of {names}")


def _shown(start: bytes) -> str:
    return repr(start[:7])[2:-1]
