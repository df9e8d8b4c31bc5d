"""What files say of themselves: generators in text fields, cameras in EXIF, C2PA manifests signed here."""

import datetime
import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bench.data import provenance
from bench.data.provenance import Provenance, of_file
from tests.conftest import picture


def png(folder, **texts):
    """A PNG with text fields."""
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    path = folder / "image.png"
    Image.fromarray(picture(1, 16, 16)).save(path, pnginfo=info)
    return path


@pytest.mark.parametrize(
    ("texts", "generators"),
    [
        ({}, ()),
        ({"parameters": "a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7"}, ("Stable Diffusion",)),
        ({"prompt": '{"3": {"class_type": "KSampler"}}'}, ("ComfyUI",)),
        ({"Description": "a dog --v 6 Job ID: 1", "Author": "Midjourney"}, ("Midjourney",)),
        ({"Software": "Adobe Firefly"}, ("Adobe Firefly",)),
        ({"Title": "trainedAlgorithmicMedia"}, ("a generator (IPTC)",)),
        ({"Title": "My holiday", "Software": "GIMP"}, ()),
        ({"unrelated": "midjourney"}, ()),
    ],
)
def test_generators_named_in_text(tmp_path, texts, generators):
    assert of_file(png(tmp_path, **texts)).generators == generators


def test_a_camera_and_its_software(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Canon", "EOS 5D", "Lightroom"
    Image.fromarray(picture(1, 16, 16)).save(tmp_path / "a.jpg", exif=exif)
    found = of_file(tmp_path / "a.jpg")
    assert (found.camera, found.software, found.generators) == ("Canon", "Lightroom", ())
    assert str(found) == "Canon; Lightroom"


def test_a_file_that_cannot_be_read_says_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    assert of_file(tmp_path / "a.png") == of_file(tmp_path / "none.png") == Provenance()
    assert str(Provenance()) == ""


def test_without_the_extra_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance.importlib.util, "find_spec", lambda name: None)
    found = of_file(png(tmp_path))
    assert found.c2pa == provenance.NOT_LOOKED_FOR
    assert str(found) == ""


def certificates():
    """A signing certificate with its authority's, and the private key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text):
        parts = ((NameOID.COMMON_NAME, text), (NameOID.ORGANIZATION_NAME, "Test"), (NameOID.COUNTRY_NAME, "DE"))
        return x509.Name([x509.NameAttribute(*part) for part in parts])

    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    made = []
    for own, issuer, text, is_authority in ((0, 0, "authority", True), (1, 0, "signer", False)):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
        )
        usage |= {"encipher_only": False, "decipher_only": False}
        usage |= {"digital_signature": not is_authority, "key_cert_sign": is_authority}
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(text))
            .issuer_name(name("authority"))
            .public_key(keys[own].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[own].public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[issuer].public_key()), critical=False
            )
        )
        if not is_authority:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        made.append(builder.sign(keys[issuer], hashes.SHA256()))
    pem = serialization.Encoding.PEM
    chain = b"".join(certificate.public_bytes(pem) for certificate in reversed(made))
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return chain, private


def signed(path, target):
    """A copy of an image with a manifest that calls it made by a trained algorithm."""
    import c2pa

    chain, private = certificates()
    kind = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    manifest = {
        "claim_generator_info": [{"name": "Some Generator", "version": "1"}],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": kind}]}}
        ],
    }
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, private, None))
    builder, out = c2pa.Builder(json.dumps(manifest)), io.BytesIO()
    builder.sign(signer, "image/png", io.BytesIO(path.read_bytes()), out)
    target.write_bytes(out.getvalue())
    return target


def test_a_manifest_is_shown_and_a_changed_file_does_not_validate(tmp_path):
    plain = png(tmp_path)
    assert of_file(plain).c2pa == ""
    path = signed(plain, tmp_path / "signed.png")
    found = of_file(path)
    assert found.c2pa.startswith("Some Generator (trainedAlgorithmicMedia)")
    assert "C2PA: Some Generator" in str(found)
    data = bytearray(path.read_bytes())
    data[-20] ^= 0xFF  # Of the compressed pixels.
    path.write_bytes(bytes(data))
    assert "does not validate" in of_file(path).c2pa or "invalid" in of_file(path).c2pa
