-- What is not known is NULL, and what is known is not.
select *
from {{ ref('license_spend') }}
where (price_basis in ('unknown', 'no_current_term')) <> (currency is null)
  or (currency is null and annual_spend is not null)
  or (currency is not null and units is not null and annual_spend is null)
