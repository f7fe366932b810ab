"""Making the datasets that the attribute networks are trained and tested on."""
