"""Operations on any stack, deployed or local. They need neither SAM CLI nor the sandbox."""
