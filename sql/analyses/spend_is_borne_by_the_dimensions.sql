-- Each dimension of the charge-back bears what is spent on a SKU, in cents.
select s.tenant_id, s.sku_id || ' by ' || b.dimension || ' in ' || coalesce(s.currency, 'no currency') as of_what, s.cents as one_sum, b.cents as other_sum, cast(null as varchar) as people
from (
  select tenant_id, sku_id, currency, cast(sum(annual_spend) * 100 as bigint) as cents
  from {{ ref('license_spend') }}
  group by 1, 2, 3
) as s
join (
  select tenant_id, sku_id, currency, dimension, cast(sum(annual_spend) * 100 as bigint) as cents
  from {{ ref('license_chargeback') }}
  group by 1, 2, 3, 4
) as b on b.tenant_id = s.tenant_id and b.sku_id = s.sku_id and coalesce(b.currency, '') = coalesce(s.currency, '')
where s.cents is not null
