"""好差评 (GB/T 39735): the applicant rates the service once, when it ends; a bad rating is followed up and answered."""
