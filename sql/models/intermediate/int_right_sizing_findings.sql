-- Grain: one row per tenant, rule, SKU and currency: overlaps, downgrades and consolidations as findings. The amount is the sum of
-- the rows that the query lists.
with found as (
  select
    'redundant_licenses' as rule,
    tenant_id,
    sku_id,
    product_name,
    currency,
    is_estimate,
    annual_saving,
    product_name || ': ' as subject,
    ' licences are covered by others of the same users' as said,
    'license_overlaps where ' as source
  from {{ ref('license_overlaps') }}
  union all
  select
    case verdict when 'proposed' then 'downgrades' else 'downgrades_to_confirm' end,
    tenant_id,
    sku_id,
    product_name,
    currency,
    is_estimate,
    annual_saving,
    product_name || ': ',
    case verdict when 'proposed' then ' licences could be a smaller one' else ' licences could be a smaller one, if what can''t be measured is not used' end,
    'license_downgrades where verdict = ''' || verdict || ''' and '
  from {{ ref('license_downgrades') }}
  where verdict in ('proposed', 'needs_confirmation')
  union all
  select
    'consolidations',
    tenant_id,
    suite_sku_id,
    suite_product_name,
    currency,
    is_estimate,
    annual_saving,
    suite_product_name || ' costs less than what ',
    ' users hold in its place',
    'license_consolidations where suite_'
  from {{ ref('license_consolidations') }}
),

summed as (
  select
    rule,
    tenant_id,
    sku_id,
    product_name,
    currency,
    subject,
    said,
    source,
    bool_or(is_estimate) as is_estimate,
    cast(count(*) as integer) as units,
    cast(sum(annual_saving) as decimal(18, 2)) as annual_saving
  from found
  group by 1, 2, 3, 4, 5, 6, 7, 8
)

select
  rule,
  'saving' as kind,
  tenant_id,
  sku_id,
  product_name,
  units,
  cast(annual_saving * 100 as bigint) as cents,
  currency,
  is_estimate,
  subject || cast(units as varchar) || said as finding,
  'select * from ' || source || 'sku_id = ''' || sku_id || ''' and tenant_id = ''' || tenant_id || ''''
    || case when currency is null then ' and currency is null' else ' and currency = ''' || currency || '''' end as query
from summed
