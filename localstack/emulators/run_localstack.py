"""Starts LocalStack in this process, after teaching its KMS the Ed25519 keys that AWS KMS has and it lacks.

AWS: key spec ECC_NIST_EDWARDS25519, signing algorithm ED25519_SHA_512 over a RAW message (RFC 8032, no prehash).
The keys and signatures are those of the `cryptography` package, which LocalStack uses for its other key specs.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from localstack.aws.api.kms import KMSInvalidSignatureException
from localstack.services.kms import models
from localstack.services.kms.exceptions import ValidationException

SPEC = "ECC_NIST_EDWARDS25519"
ALGORITHM = "ED25519_SHA_512"


def teach_ed25519():
    # Known as an elliptic curve, so that it is accepted; its keys are loaded from material, never made from a curve.
    models.ECC_CURVES[SPEC] = None
    make, sign, verify = models.KmsCryptoKey.__init__, models.KmsKey.sign, models.KmsKey.verify
    populate = models.KmsKey._populate_signing_algorithms

    def make_key(self, key_spec, key_material=None):
        if key_spec == SPEC and key_material is None:
            key_material = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        make(self, key_spec, key_material)

    def require_match(key, algorithm, message_type):
        if (key.metadata["KeySpec"] == SPEC) != (algorithm == ALGORITHM):
            raise ValidationException(f"Algorithm {algorithm} and key spec {key.metadata['KeySpec']} do not match.")
        if algorithm == ALGORITHM and message_type == "DIGEST":
            raise ValidationException(f"{ALGORITHM} takes RAW messages.")

    def sign_text(self, data, message_type, signing_algorithm):
        require_match(self, signing_algorithm, message_type)
        if signing_algorithm == ALGORITHM:
            return self.crypto_key.key.sign(data)
        return sign(self, data, message_type, signing_algorithm)

    def verify_text(self, data, message_type, signing_algorithm, signature):
        require_match(self, signing_algorithm, message_type)
        if signing_algorithm != ALGORITHM:
            return verify(self, data, message_type, signing_algorithm, signature)
        try:
            self.crypto_key.key.public_key().verify(signature, data)
            return True
        except InvalidSignature:
            raise KMSInvalidSignatureException()

    def populate_algorithms(self, key_usage, key_spec):
        populate(self, key_usage, key_spec)
        if key_spec == SPEC and key_usage == "SIGN_VERIFY":
            self.metadata["SigningAlgorithms"] = [ALGORITHM]

    models.KmsCryptoKey.__init__ = make_key
    models.KmsKey.sign, models.KmsKey.verify = sign_text, verify_text
    models.KmsKey._populate_signing_algorithms = populate_algorithms


if __name__ == "__main__":
    teach_ed25519()
    from localstack.runtime.main import main

    main()
